-- one row per name of events on items before :as_of
select
    event,
    count(*) as visits
from events
where item_id is not null
group by event
