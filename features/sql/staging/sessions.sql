-- one row per customer and session before :as_of
select
    entity_id,
    session_id,
    cast(max(day_number(local_at)) as int) as last_day,
    count(*) as event_count
from events
where entity_id is not null and session_id is not null
group by entity_id, session_id
