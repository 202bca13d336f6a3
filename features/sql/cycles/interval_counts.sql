-- one row per thing, length of an interval and whether it ended, as of :as_of; a customer's intervals weigh 1 together
with lengths as (
    select
        thing,
        place,
        interval_count,
        coalesce(next_day, :until) - day as days,
        case when next_day is not null then 1 else 0 end as returned
    from intervals
),

weighed as (
    select
        thing,
        days,
        returned,
        place,
        cast(rounded(1 / cast(interval_count as double), 9) as decimal(10, 9)) as weight,
        cast(
            case when place > 1 then rounded(1 / cast(interval_count - 1 as double), 9) else 0 end as decimal(10, 9)
        ) as repeat_weight
    from lengths
)

select
    thing,
    days,
    returned,
    count(*) as interval_count,
    count(case when place = 1 then 1 end) as customer_count,
    count(case when place = 2 then 1 end) as repeat_customer_count,
    sum(weight) as weight,
    sum(weight * weight) as weight_squares,
    -- what follows a second purchase is kept apart too: who bought once by chance is no sign of a cycle
    sum(repeat_weight) as repeat_weight,
    sum(repeat_weight * repeat_weight) as repeat_weight_squares
from weighed
group by thing, days, returned
