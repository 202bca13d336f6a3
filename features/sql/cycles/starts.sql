-- one row per customer, chosen thing and day it was bought, where the days to watch are over as of :as_of
select
    entity_id,
    thing,
    day,
    cast(floor((day + 3) / 7) as int) as week,
    count(*) over (partition by entity_id, thing) as start_count
from bought_days
where day + :within < :until and thing in (select thing from chosen_things)
