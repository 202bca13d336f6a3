-- one row per customer of a part who was there in the 365 days before :as_of
select
    recency,
    frequency,
    amount
from rfm_values
where frequency > 0
