-- one row per customer, category and day it was bought before :as_of and before :until; a day's purchases are one
select
    lines.entity_id,
    kinds.category as thing,
    lines.day,
    sum(lines.quantity) as quantity
from sale_lines as lines
inner join items as kinds on lines.item_key = kinds.item_key
where kinds.category is not null and lines.day < :until
group by lines.entity_id, kinds.category, lines.day
