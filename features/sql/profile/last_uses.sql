-- one row per customer and function of the app used before :as_of
select
    entity_id,
    feature,
    last_day
from used_features
