-- one row per customer and day with an act before :as_of, an act being one of the chosen events
select distinct
    entity_id,
    cast(day_number(local_at) as int) as day
from events
where entity_id is not null and (:every_event or event in (select event from act_events))
