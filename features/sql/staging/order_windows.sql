-- one row per customer with a sale before :as_of: what is summed over the days with a sale, all in one pass
select
    entity_id,
    min(day) as first_day,
    max(last_day) as last_day,
    sum(case when day >= :w7 then order_count else 0 end) as order_count_7d,
    sum(case when day >= :w14 then order_count else 0 end) as order_count_14d,
    sum(case when day >= :w30 then order_count else 0 end) as order_count_30d,
    sum(case when day >= :w60 then order_count else 0 end) as order_count_60d,
    sum(case when day >= :w90 then order_count else 0 end) as order_count_90d,
    sum(case when day >= :w120 then order_count else 0 end) as order_count_120d,
    sum(case when day >= :w150 then order_count else 0 end) as order_count_150d,
    sum(case when day >= :w180 then order_count else 0 end) as order_count_180d,
    sum(case when day >= :w365 then order_count else 0 end) as order_count_365d,
    sum(order_count) as order_count_lifetime,
    count(case when day >= :w30 then 1 end) as order_day_count_30d,
    count(case when day >= :w90 then 1 end) as order_day_count_90d,
    count(case when day >= :w180 then 1 end) as order_day_count_180d,
    count(case when day >= :w365 then 1 end) as order_day_count_365d,
    count(*) as order_day_count_lifetime,
    sum(case when day >= :w7 then amount else 0 end) as amount_7d,
    sum(case when day >= :w14 then amount else 0 end) as amount_14d,
    sum(case when day >= :w30 then amount else 0 end) as amount_30d,
    sum(case when day >= :w60 then amount else 0 end) as amount_60d,
    sum(case when day >= :w90 then amount else 0 end) as amount_90d,
    sum(case when day >= :w120 then amount else 0 end) as amount_120d,
    sum(case when day >= :w150 then amount else 0 end) as amount_150d,
    sum(case when day >= :w180 then amount else 0 end) as amount_180d,
    sum(case when day >= :w365 then amount else 0 end) as amount_365d,
    sum(amount) as amount_lifetime,
    sum(case when day >= :w30 then discount else 0 end) as discount_amount_30d,
    sum(case when day >= :w90 then discount else 0 end) as discount_amount_90d,
    sum(case when day >= :w180 then discount else 0 end) as discount_amount_180d,
    sum(case when day >= :w365 then discount else 0 end) as discount_amount_365d,
    sum(discount) as discount_amount_lifetime,
    sum(case when day >= :w90 then discount_order_count else 0 end) as discount_order_count_90d,
    sum(case when day >= :w180 then discount_order_count else 0 end) as discount_order_count_180d,
    sum(case when day >= :w365 then discount_order_count else 0 end) as discount_order_count_365d,
    sum(discount_order_count) as discount_order_count_lifetime,
    sum(case when day >= :w90 then coupon_order_count else 0 end) as coupon_order_count_90d,
    sum(case when day >= :w365 then coupon_order_count else 0 end) as coupon_order_count_365d,
    sum(coupon_order_count) as coupon_order_count_lifetime,
    sum(case when day >= :w30 then unit_count else 0 end) as unit_count_30d,
    sum(case when day >= :w90 then unit_count else 0 end) as unit_count_90d,
    sum(case when day >= :w365 then unit_count else 0 end) as unit_count_365d,
    sum(unit_count) as unit_count_lifetime,
    sum(case when day >= :w90 then line_count else 0 end) as line_count_90d,
    sum(case when day >= :w365 then line_count else 0 end) as line_count_365d,
    sum(line_count) as line_count_lifetime,
    max(case when discount = 0 then day end) as last_full_price_day,
    max(case when previous_day is null then amount end) as first_day_amount,
    max(case when days_after = 0 then amount end) as last_day_amount,
    sum(case when day >= :w395 and day < :w335 then order_count else 0 end) as order_count_same_season_last_year,
    -- days are in order, so a period is counted at its first day
    count(
        case
            when
                day >= :w360
                and (
                    previous_day is null
                    or floor((:as_of - 1 - day) / 30) <> floor((:as_of - 1 - previous_day) / 30)
                )
                then 1
        end
    ) as active_month_count_360d
from order_days
group by entity_id
