-- one row per customer, kind of preference and value met in the 90 days before :as_of, or, of the silent, before the last event
with windows as (
    select
        entity_id,
        case when max(day) >= :w90 then :w90 else max(day) - 89 end as first_day
    from event_days
    group by entity_id
),

active as (
    select
        days.entity_id,
        max(windows.first_day) as first_day,
        count(*) as all_times
    from event_days as days
    inner join windows on days.entity_id = windows.entity_id
    where days.day >= windows.first_day
    group by days.entity_id
),

-- a day counts once for each function and page met on it
met as (
    select
        lines.entity_id,
        'app_feature' as dimension,
        lines.feature as value,
        lines.day
    from event_lines as lines
    where lines.feature is not null
    group by lines.entity_id, lines.feature, lines.day
    union all
    select
        lines.entity_id,
        'page' as dimension,
        lines.page as value,
        lines.day
    from event_lines as lines
    where lines.page is not null
    group by lines.entity_id, lines.page, lines.day
)

select
    met.entity_id,
    met.dimension,
    met.value,
    cast(count(*) as decimal(18, 6)) as times,
    cast(count(*) as decimal(28, 12)) as squares,
    cast(max(active.all_times) as int) as all_times
from met
inner join active on met.entity_id = active.entity_id
where met.day >= active.first_day
group by met.entity_id, met.dimension, met.value
