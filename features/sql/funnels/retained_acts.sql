-- one row per customer and day with an event or sale before :as_of, a week or more after the first, and step that it is
with days as (
    select
        entity_id,
        occurred_at as moment,
        cast(day_number(local_at) as int) as day
    from events
    union all
    select
        entity_id,
        ordered_at as moment,
        cast(day_number(local_at) as int) as day
    from orders
    where kind = 'sale' and amount > 0
)

select
    days.entity_id,
    min(days.moment) as moment,
    days.day,
    'retained' as kind,
    '' as event,
    '' as page,
    '' as feature,
    cast(null as string) as channel,
    steps.step
from days
inner join first_traces as traces on days.entity_id = traces.entity_id
cross join funnel_steps as steps
where steps.kind = 'retained' and days.day >= traces.day + 7
group by days.entity_id, days.day, steps.step
