-- one row per end of a period, value of the 365 days before it and act in the 30 days before it, all before :as_of
with known as (
    select
        ends.period,
        days.entity_id,
        sum(days.amount) as amount,
        0 as is_active
    from worth as days
    inner join ends on days.day >= ends.end_day - 365 and days.day < ends.end_day
    group by ends.period, days.entity_id
    union all
    select
        ends.period,
        acts.entity_id,
        0 as amount,
        1 as is_active
    from acts
    inner join ends on acts.day >= ends.end_day - 30 and acts.day < ends.end_day
    group by ends.period, acts.entity_id
),

of_customers as (
    select
        period,
        entity_id,
        -- in units of the fourth place, so that a million customers are a million whole numbers
        cast(cast(sum(amount) as decimal(18, 4)) * 10000 as bigint) as value_units,
        max(is_active) as is_active
    from known
    group by period, entity_id
)

select
    period,
    value_units,
    is_active,
    count(*) as users
from of_customers
group by period, value_units, is_active
