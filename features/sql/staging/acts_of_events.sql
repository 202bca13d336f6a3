-- one row per customer and day with an act before :as_of, an act being one of the chosen events
select
    entity_id,
    day
from event_days
where has_act = 1
