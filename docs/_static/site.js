// A page opened from a folder may not fetch the others, from which summaries are taken.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
