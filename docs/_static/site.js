// A page opened from a folder may not fetch the others, from which summaries are taken.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// Sphinx's Japanese translation of it is empty.
if (document.documentElement.lang === "ja") {
  Documentation.addTranslations({
    messages: {
      "Search finished, found one page matching the search query.": ["${resultCount}件見つかりました。"],
    },
    plural_expr: "0",
  });
}
