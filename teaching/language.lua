-- Of what is written for a language, `::: ja` or [...]{.en}, keeps that of the document, and
-- `::: answer` and `::: film` only where the metadata have them.

local metadata

local function keep(element)
  for _, class in ipairs(element.classes) do
    if class == "ja" or class == "en" then
      return class == pandoc.utils.stringify(metadata.lang) and element.content or {}
    elseif (class == "answer" or class == "film") and not metadata[class] then
      return {}
    end
  end
end

return {
  { Meta = function(meta) metadata = meta end },
  { Div = keep, Span = keep },
}
