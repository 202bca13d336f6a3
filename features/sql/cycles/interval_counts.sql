-- one row per thing, length of an interval and whether it ended, as of :as_of; a customer's intervals weigh 1 together
with lengths as (
    select
        thing,
        place,
        interval_count,
        coalesce(next_day, :until) - day as days,
        case when next_day is not null then 1 else 0 end as returned
    from intervals
)

select
    thing,
    days,
    returned,
    count(*) as interval_count,
    count(case when place = 1 then 1 end) as customer_count,
    count(case when place = 2 then 1 end) as repeat_customer_count,
    sum(cast(round(1 / cast(interval_count as double), 12) as decimal(18, 12))) as weight,
    -- what follows a second purchase is kept apart too: who bought once by chance is no sign of a cycle
    sum(cast(case when place > 1 then round(1 / cast(interval_count - 1 as double), 12) else 0 end as decimal(18, 12)))
        as repeat_weight
from lengths
group by thing, days, returned
