-- one row per customer who bought in the window that starts at :as_of
select
    entity_id,
    count(distinct day) as order_days,
    cast(sum(amount) as double) as amount
from sale_lines
group by entity_id
