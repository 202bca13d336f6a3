-- one row per customer, item and day it was bought before :as_of and before :until; a day's purchases are one
select
    entity_id,
    item_id as thing,
    day,
    sum(quantity) as quantity
from sale_lines
where item_id is not null and day < :until
group by entity_id, item_id, day
