-- Search in prompts
-- Prompts whose text holds some words, the newest first. Clients send texts only when they are told to.
-- param text: text = %: what to look for, in any case; % stands for anything
-- param limit: integer = 50: prompts at most
SELECT
    time,
    client,
    session_id,
    "user",
    prompt_length,
    prompt
FROM events
WHERE
    ingest_day >= $since_day AND time >= $since
    AND event_type = 'user_prompt'
    AND coalesce(prompt, '') ILIKE '%' || $text || '%'
ORDER BY time DESC, session_id, prompt_id
LIMIT $limit;
