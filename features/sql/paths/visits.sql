-- one row per visit of a page, or feature, before :as_of, with the one before and after it in the session
select
    entity_id,
    node,
    seconds,
    lag(node) over (partition by entity_id, session_id, run order by moment, node) as node_before,
    lead(node) over (partition by entity_id, session_id, run order by moment, node) as node_after
from timed_events
where node is not null
