-- one row per customer and item bought in the window that starts at :as_of
select distinct
    entity_id as user_id,
    item_id
from sale_lines
where item_id is not null
