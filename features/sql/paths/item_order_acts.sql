-- one row per line sold before :as_of, by customer and item together; the item stands as channel
select
    orders.entity_id || '	' || orders.item_id as entity_id,
    orders.ordered_at as moment,
    cast(day_number(orders.local_at) as int) as day,
    'order' as kind,
    '' as event,
    '' as page,
    '' as feature,
    orders.item_id as channel,
    steps.step
from orders
cross join funnel_steps as steps
where steps.kind = 'order' and orders.kind = 'sale' and orders.amount > 0 and orders.item_id is not null
