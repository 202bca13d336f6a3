-- one row per shop: how many events before :as_of name a page, a feature and an event
select
    count(page) as page,
    count(feature) as feature,
    count(event) as event
from events
