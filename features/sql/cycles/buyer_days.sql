-- one row per customer and day with any purchase, where the days to watch are over as of :as_of
with days as (
    select distinct
        entity_id,
        day,
        cast(floor((day + 3) / 7) as int) as week
    from bought_days
    where day + :within < :until
)

select
    entity_id,
    day,
    week,
    cast(round(1 / cast(count(*) over (partition by entity_id, week) as double), 9) as decimal(10, 9)) as weight
from days
