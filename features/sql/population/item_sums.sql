-- one row per item of a part as of :as_of
select
    item_id,
    sum(amount + discount) as list_amount,
    sum(quantity) as unit_count
from sale_lines
where item_id is not null and quantity > 0
group by item_id
