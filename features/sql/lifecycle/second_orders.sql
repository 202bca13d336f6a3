-- one row per period of the first order day and days to the second one (or to :as_of, where there was none yet)
with placed as (
    select
        entity_id,
        day,
        row_number() over (partition by entity_id order by day) as place
    from sale_days
),

pairs as (
    select
        entity_id,
        min(day) as opening_day,
        max(case when place = 2 then day end) as second_day
    from placed
    where place <= 2
    group by entity_id
)

select
    case when :weekly then calendar.week else calendar.month end as first_period,
    case when pairs.second_day is null then 0 else 1 end as has_second,
    coalesce(pairs.second_day, :as_of) - pairs.opening_day as days,
    count(*) as users
from pairs
inner join calendar on pairs.opening_day = calendar.day
group by
    case when :weekly then calendar.week else calendar.month end,
    case when pairs.second_day is null then 0 else 1 end,
    coalesce(pairs.second_day, :as_of) - pairs.opening_day
