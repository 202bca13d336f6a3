-- one row per customer and day with any purchase, where the days to watch are over as of :as_of
select
    entity_id,
    day,
    cast(floor((day + 3) / 7) as int) as week,
    cast(
        round(1 / cast(count(*) over (partition by entity_id, floor((day + 3) / 7)) as double), 12)
        as decimal(18, 12)
    ) as weight
from (
    select
        entity_id,
        day
    from bought_days
    where day + :within < :until
    group by entity_id, day
) as days
