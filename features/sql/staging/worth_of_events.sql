-- one row per customer and day with an act before :as_of, with what it is worth: the events of the day
select
    entity_id,
    day,
    cast(event_count as decimal(18, 4)) as amount
from event_days
where has_act = 1
