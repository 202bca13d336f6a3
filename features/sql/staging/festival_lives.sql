-- one row per customer and occurrence of a festival that touches the days from the first order to the last before :as_of
with lives as (
    select
        entity_id,
        min(day) as first_day,
        max(day) as last_day
    from order_days
    group by entity_id
),

met as (
    select
        lives.entity_id,
        occurrences.festival,
        occurrences.first_day,
        occurrences.last_day,
        greatest(occurrences.first_day, lives.first_day + 1) as first_touched,
        least(occurrences.last_day, lives.last_day) as last_touched,
        -- a festival was lived through by who had bought before it and was there when it began or later
        case when lives.first_day < occurrences.first_day and occurrences.is_over = 1 then 1 else 0 end as lived_through
    from lives
    inner join occurrences on occurrences.last_day > lives.first_day and occurrences.first_day <= lives.last_day
)

select
    met.entity_id,
    met.festival,
    met.first_day,
    cast(met.last_day - met.first_day + 1 as int) as day_count,
    cast(met.lived_through as int) as lived_through,
    cast(met.last_touched - met.first_touched + 1 as int) as touched_day_count,
    cast(coalesce(sum(days.order_count), 0) as int) as order_count
from met
left join order_days as days
    on met.entity_id = days.entity_id and days.day >= met.first_touched and days.day <= met.last_touched
group by
    met.entity_id, met.festival, met.first_day, met.last_day, met.lived_through, met.last_touched, met.first_touched
