-- one row per customer and item bought before :as_of
select
    entity_id,
    item_key,
    min(day) as first_day,
    max(day) as last_day,
    cast(count(*) as int) as line_count,
    cast(sum(amount) as decimal(18, 4)) as amount,
    cast(sum(quantity) as decimal(18, 4)) as unit_count
from sale_lines
where item_key is not null
group by entity_id, item_key
