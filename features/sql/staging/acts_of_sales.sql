-- one row per customer and day with an act before :as_of, an act being a sale
select
    entity_id,
    day
from sale_days
