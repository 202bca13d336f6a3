-- one row per dimension, value and period: who bought, how often, how much, counted before :as_of
with opening as (
    select
        entity_id,
        min(period) as first_period
    from spending_periods
    group by entity_id
),

pieces as (
    select
        entity_id,
        period,
        order_key,
        'all' as dimension,
        'all' as dimension_value,
        amount,
        units
    from period_orders
    union all
    select
        entity_id,
        period,
        order_key,
        'category' as dimension,
        category as dimension_value,
        amount,
        units
    from period_orders
    where category is not null
    union all
    select
        entity_id,
        period,
        order_key,
        'channel' as dimension,
        channel as dimension_value,
        amount,
        units
    from period_orders
    where channel is not null
    union all
    select
        orders.entity_id,
        orders.period,
        orders.order_key,
        'buyer' as dimension,
        case when orders.period = opening.first_period then 'new' else 'returning' end as dimension_value,
        orders.amount,
        orders.units
    from period_orders as orders
    inner join opening on orders.entity_id = opening.entity_id
),

bought as (
    select
        entity_id,
        period,
        order_key,
        dimension,
        dimension_value,
        sum(amount) as amount,
        sum(units) as units
    from pieces
    group by entity_id, period, order_key, dimension, dimension_value
),

by_customer as (
    select
        entity_id,
        period,
        dimension,
        dimension_value,
        count(*) as orders,
        sum(amount) as amount,
        sum(units) as units
    from bought
    group by entity_id, period, dimension, dimension_value
),

in_order as (
    select
        period,
        dimension,
        dimension_value,
        orders,
        amount,
        units,
        lag(period) over (partition by entity_id, dimension, dimension_value order by period) as previous_period
    from by_customer
)

select
    dimension,
    dimension_value,
    period,
    count(*) as buyers,
    count(case when orders > 1 then 1 end) as repeat_buyers,
    count(case when previous_period = period - 1 then 1 end) as again_buyers,
    cast(sum(orders) as bigint) as orders,
    cast(sum(amount) as decimal(38, 4)) as amount,
    cast(sum(units) as decimal(38, 4)) as units
from in_order
group by dimension, dimension_value, period
