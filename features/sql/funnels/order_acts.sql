-- one row per order with a sale before :as_of, and step that it is: an order_id, or a day's sales where there is none
with placed as (
    select
        entity_id,
        coalesce(key_of(order_id), cast(day_number(local_at) as bigint)) as order_key,
        min(ordered_at) as moment,
        min(cast(day_number(local_at) as int)) as day,
        min(channel) as channel
    from orders
    where kind = 'sale' and amount > 0
    group by entity_id, coalesce(key_of(order_id), cast(day_number(local_at) as bigint))
)

select
    placed.entity_id,
    placed.moment,
    placed.day,
    'order' as kind,
    '' as event,
    '' as page,
    '' as feature,
    placed.channel,
    steps.step
from placed
cross join funnel_steps as steps
where steps.kind = 'order'
