-- one row per customer, order and item sold before :as_of; lines without an order_id make one order a day
select
    entity_id,
    order_key,
    item_id,
    min(day) as day,
    cast(sum(quantity) as double) as quantity,
    cast(sum(amount) as double) as amount
from sale_lines
group by entity_id, order_key, item_id
