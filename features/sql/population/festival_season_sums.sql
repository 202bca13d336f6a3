-- one row per occurrence of a festival with those who lived through it, one per day of it with orders, and one for the days outside, of a part as of :as_of
with counted as (
    select
        festival,
        first_day,
        cast(null as int) as day,
        1 as customers,
        0 as day_count,
        0 as order_count
    from festival_lives
    where lived_through = 1
    union all
    select
        festival,
        first_day,
        day,
        0 as customers,
        0 as day_count,
        order_count
    from festival_orders
    union all
    select
        'none' as festival,
        0 as first_day,
        cast(null as int) as day,
        0 as customers,
        day_count,
        order_count
    from plain_days
)

select
    festival,
    first_day,
    day,
    cast(sum(customers) as bigint) as customers,
    cast(sum(day_count) as bigint) as day_count,
    cast(sum(order_count) as bigint) as order_count
from counted
group by festival, first_day, day
