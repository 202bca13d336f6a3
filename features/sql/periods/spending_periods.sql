-- one row per customer and month (or week, where :weekly) with a sale before :as_of
with spent as (
    select
        entity_id,
        period,
        cast(sum(amount) as decimal(18, 4)) as amount
    from period_orders
    group by entity_id, period
)

select
    entity_id,
    period,
    amount,
    lag(period) over (partition by entity_id order by period) as previous_period,
    lag(amount) over (partition by entity_id order by period) as previous_amount,
    lead(period) over (partition by entity_id order by period) as next_period
from spent
