-- one row per customer and item bought before :as_of
select
    entity_id,
    item_id,
    min(day) as first_day,
    max(day) as last_day,
    count(*) as line_count,
    sum(amount) as amount,
    sum(quantity) as unit_count
from sale_lines
where item_id is not null
group by entity_id, item_id
