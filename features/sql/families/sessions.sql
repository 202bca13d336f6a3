-- one row per customer as of :as_of
select
    entity_id,
    count(*) filter (where last_day >= :w7) as session_count_7d,
    count(*) filter (where last_day >= :w30) as session_count_30d,
    count(*) filter (where last_day >= :w90) as session_count_90d,
    count(*) as session_count_lifetime,
    sum(event_count) / cast(count(*) as double) as events_per_session_lifetime
from sessions
group by entity_id
