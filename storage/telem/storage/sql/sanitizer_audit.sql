-- What the sanitizer replaced: one row for each UTC day, rule and attribute. Counts only; no value, no digest.
CREATE OR REPLACE VIEW sanitizer_audit AS
SELECT
    day, -- UTC day in which it was counted; the counts of a minute are added together.
    rule, -- Rule that replaced something; `sanitizer-error` where a value could not be judged and was replaced whole.
    attribute, -- Attribute in which it stood, `text` for what has no name (bodies, messages), `attribute name` for names.
    "count" -- Replacements.
FROM $sanitizer_audit;
