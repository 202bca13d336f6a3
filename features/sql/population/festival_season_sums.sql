-- one row per occurrence of a festival, and one for the days outside, of a part as of :as_of
with counted as (
    select
        festival,
        first_day,
        day_count,
        order_count
    from festival_lives
    where lived_through = 1
    union all
    select
        'none' as festival,
        0 as first_day,
        day_count,
        order_count
    from plain_days
)

select
    festival,
    first_day,
    cast(sum(day_count) as bigint) as day_count,
    cast(sum(order_count) as bigint) as order_count
from counted
group by festival, first_day
