-- one row per customer and session before :as_of
select
    entity_id,
    session_key,
    max(day) as last_day,
    cast(count(*) as int) as event_count
from event_lines
where session_key is not null
group by entity_id, session_key
