-- one row per customer and item bought before :as_of
select
    entity_id as user_id,
    item_id,
    count(distinct day) as order_days,
    cast(sum(quantity) as double) as quantity,
    cast(sum(amount) as double) as amount,
    min(day) as first_day,
    max(day) as last_day
from sale_lines
where item_id is not null
group by entity_id, item_id
