-- List prices a model: what a request costs whose client reports no cost. USD for a million tokens.
-- A price holds from `valid_from` on until the model's next one, for requests whose whole input lies in its range.
CREATE OR REPLACE VIEW model_prices AS
WITH listed AS (
$model_prices
)

SELECT
    model, -- Model, without the date at its end.
    CAST(valid_from AS DATE) AS valid_from, -- First day of the price; 1970-01-01 when no earlier one is known.
    coalesce(
        nullif(lead(CAST(valid_from AS DATE)) OVER periods, CAST('1970-01-01' AS DATE)), CAST('2100-01-01' AS DATE)
    ) AS valid_until, -- First day on which it holds no longer.
    input_above, -- [tokens] Holds for requests with more input than this, cached input included.
    input_up_to, -- [tokens] And for no more than this.
    input_usd, -- [USD / 1M tokens] Fresh input.
    cache_read_usd, -- [USD / 1M tokens] Input read from the cache.
    cache_write_5m_usd, -- [USD / 1M tokens] Input written to the cache for five minutes, or without a lifetime.
    cache_write_1h_usd, -- [USD / 1M tokens] Input written to the cache for one hour.
    output_usd, -- [USD / 1M tokens] Output, reasoning included.
    published_by -- Whose list it is.
FROM listed
WINDOW periods AS (PARTITION BY model, input_above ORDER BY CAST(valid_from AS DATE));
