-- one row per customer who entered the funnel before :as_of: the furthest step, and where the way that came there began
with ranked as (
    select
        entity_id,
        step,
        start_place,
        row_number() over (partition by entity_id order by step desc, place) as number
    from funnel_arrivals
)

select
    entity_id,
    cast(step as int) as furthest,
    start_place as place
from ranked
where number = 1
