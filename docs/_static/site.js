// A page opened from a folder may not fetch the others, from which summaries are taken.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// Sphinx's Japanese translations of it, in its newer and older words, are empty.
if (document.documentElement.lang === "ja") {
  const found = ["${resultCount}件見つかりました。"];
  Documentation.addTranslations({
    messages: {
      "Search finished, found one page matching the search query.": found,
      "Search finished, found ${resultCount} page(s) matching the search query.": found,
    },
    plural_expr: "0",
  });
}
