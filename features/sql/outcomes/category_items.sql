-- one row per item of the chosen categories as of :as_of
select item_id
from items
where category in (select category from chosen_categories)
