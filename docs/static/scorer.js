// Order of the search's results: guides first, then entries of the reference, then tables of keys.
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 4,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([page, title, anchor, description, score]) => {
    const weights = { keys: 0.2, reference: 0.6, tutorials: 0.8 };
    return score * (weights[page.split("/")[0]] ?? 1);
  },
};
