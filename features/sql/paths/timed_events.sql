-- one row per event before :as_of with the seconds until the next one of its session; of the last one they are unknown
select
    entity_id,
    session_id,
    run,
    moment,
    node,
    coalesce(
        dwell_seconds,
        days_between(moment, lead(moment) over (partition by entity_id, session_id, run order by moment)) * 86400
    ) as seconds
from session_runs
