-- one row per customer and month (or week, where :weekly) with an act before :as_of
with active as (
    select
        acts.entity_id,
        case when :weekly then calendar.week else calendar.month end as period
    from acts
    inner join calendar on acts.day = calendar.day
    group by acts.entity_id, case when :weekly then calendar.week else calendar.month end
)

select
    entity_id,
    period,
    lag(period) over (partition by entity_id order by period) as previous_period,
    lead(period) over (partition by entity_id order by period) as next_period,
    min(period) over (partition by entity_id) as first_period
from active
