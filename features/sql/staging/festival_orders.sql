-- one row per customer, occurrence of a festival lived through before :as_of, and day of it with an order
select
    lives.entity_id,
    lives.festival,
    lives.first_day,
    days.day,
    days.order_count
from festival_lives as lives
inner join order_days as days
    on lives.entity_id = days.entity_id and days.day >= lives.first_day and days.day < lives.first_day + lives.day_count
where lives.lived_through = 1
