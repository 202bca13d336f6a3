-- one row per customer and day with any purchase, where the days to watch are over as of :as_of
select distinct
    entity_id,
    day,
    cast(floor((day + 3) / 7) as int) as week
from bought_days
where day + :within < :until
